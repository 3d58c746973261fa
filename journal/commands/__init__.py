"""The commands that callers give: what they take is checked here, and each is one decision of the domain."""
