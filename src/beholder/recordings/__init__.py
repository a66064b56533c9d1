"""Brain data: (stimulus, voxel[, repeat]) arrays with reliability."""
