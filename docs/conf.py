"""Settings of the documentation: ``python -m sphinx -W docs docs/_build`` builds it."""

import importlib.metadata

project = "mcvi"
author = "The mcvi developers"
copyright = author
release = importlib.metadata.version("mcvi")

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"

# Pages link to one another and to the folders of the repository as they do where they are read as they are.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]

# A class is one page: its methods in their own words, and no table of them before that.
numpydoc_show_class_members = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
