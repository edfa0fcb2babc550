"""Files of banks and spreadsheets as typed records, read as a stream."""
