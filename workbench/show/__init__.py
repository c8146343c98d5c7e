"""Pictures, sliders, tables and pages: they present what is measured elsewhere."""
