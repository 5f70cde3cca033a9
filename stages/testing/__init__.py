"""What a network is compared with: the baseline, and the test part. Nothing here trains."""
