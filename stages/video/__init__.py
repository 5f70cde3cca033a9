"""Video: frames, files, ffmpeg, decoding, encoding, test sequences on disk."""
