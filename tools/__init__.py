"""Set-up and continuous integration."""
