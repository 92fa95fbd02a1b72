// Package dataset reads labelled reviews and splits them.
//
// A source is a CSV file, plain or gzip-compressed, with a header that names
// at least the columns review and sentiment. A sentiment is "positive" or
// "negative", or 1 or 0 as [Write] writes it; rows with another sentiment are
// left out and counted. Faults of the file (no such column, broken quoting,
// bytes that are not UTF-8) are errors with the line.
package dataset
