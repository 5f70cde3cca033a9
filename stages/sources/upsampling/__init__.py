"""Photographs, the user's own pictures and video, made into pairs and test sequences."""
