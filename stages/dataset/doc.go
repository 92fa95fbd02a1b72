// Package dataset reads labelled reviews and splits them.
//
// [Load] reads a [Source]: a file, a directory, a URL or a database.
//
//	reviews.csv, .tsv, .jsonl  columns review and sentiment, or others by name;
//	                           plain or compressed with gzip or zstd
//	reviews.db                 a SQLite database, by table or query
//	aclImdb/, aclImdb_v1.tar.gz
//	                           texts by class, [train|test/]pos/*.txt
//	https://…, s3://…          any of these files; pinned by a checksum, resumed
//	                           when cut off
//	postgres://…, sqlserver://…
//	                           by table or query; passwords come from the
//	                           environment
//
// A label is "positive" or "negative", 1 or 0, or whatever Source.Labels maps to
// the two. Rows with other labels are left out, and so are rows that cannot be
// read; the first are named, the rest counted. A missing column, a class without
// rows, a file that is something else are errors with a hint.
//
// Nothing that is read is trusted: rows and sources are bounded in size,
// compression in proportion, archives are never unpacked to disk, and names in
// SQL are quoted.
//
// [Write] and [ReadFile] are the form in which stages hand reviews on.
// [Split] is reproducible on any machine.
package dataset
