"""Up-sampling of luma."""
