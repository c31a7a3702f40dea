"""The plots and tables of `docs/explanation/overload.md`, from the project's own simulator."""
