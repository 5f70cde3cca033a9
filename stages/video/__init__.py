"""Video: frames, files, codecs, and sequences made of pictures."""
