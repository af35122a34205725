"""Packs: a job runs several entries of its submission."""
