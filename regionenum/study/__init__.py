"""Studies: many networks over one domain, trained where asked, enumerated, and put into one table."""
