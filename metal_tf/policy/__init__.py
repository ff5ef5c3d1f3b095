"""A trained policy outside of its run: a SavedModel and its description.

    export/
      policy.json         what goes in, what comes out, where it comes from
      saved_model.pb      the network; the signature is observation -> action
      variables/          its weights
      policy.tflite       the network for TensorFlow Lite, if asked for
      manifest.json       sizes and SHA-256 sums of the above

Loading needs TensorFlow and numpy and nothing else. No file is unpickled; but a
SavedModel is a program for TensorFlow, so load only those of people you trust.
"""
