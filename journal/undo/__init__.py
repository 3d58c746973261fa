"""Undoing: what it comes to is planned, and appended as events that compensate. Sagas undo themselves."""
