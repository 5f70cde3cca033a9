"""Where data come from, and how they are made into pairs of low and high resolution."""
