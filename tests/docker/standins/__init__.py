"""Stand-ins for images that compose asks for, where an engine is and no registry of images can be reached."""
