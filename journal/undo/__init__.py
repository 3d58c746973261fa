"""Undoing: it is planned, and appended as events that compensate. Sagas undo themselves."""
