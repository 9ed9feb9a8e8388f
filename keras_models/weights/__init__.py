"""Weights that this project trained itself, each with its model card."""
