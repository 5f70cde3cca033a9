"""Up-sampling on the test part, beside bicubic."""
