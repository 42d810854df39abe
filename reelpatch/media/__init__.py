"""Clips in files, for both hosts: read and written frame by frame, whole or in windows."""
