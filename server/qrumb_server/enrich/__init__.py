"""What can be found in an event or added to it, one small module each."""
