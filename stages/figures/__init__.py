"""One function a figure, one theme, and the report that gathers them."""
