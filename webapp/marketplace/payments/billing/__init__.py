"""Invoices, credit notes and receipts: which document an entry calls for (issue), as EN 16931 XML (en16931) and as PDF (pdf)."""
