"""A look at runs from outside: reads files only, and no TensorFlow."""
