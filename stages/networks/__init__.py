"""Network definitions, building one from its name or a dotted path, and reshaping its layers."""
