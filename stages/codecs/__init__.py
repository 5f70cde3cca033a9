"""Up-sampling filters behind real codecs: streams of test sequences, and what filters gain."""
