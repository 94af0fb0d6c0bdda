"""Shapes of bodies. They read and show; they never write."""
