"""Classification of the test part, beside the majority class."""
