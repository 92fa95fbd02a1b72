// Package ml holds the tests of the sentiment pipeline's packages beside what
// they stand in for: NLTK, and real Postgres and S3 servers.
//
// They have the build tag interop and take their peers from the environment;
// what is not named is skipped, but fails where CI=true:
//
//	FLOW_TEST_NLTK        a Python with NLTK 3.8.1
//	FLOW_TEST_PYTHON      a Python with a current NLTK
//	FLOW_TEST_WORDNET     WordNet 3.0's files; /usr/share/wordnet by default
//	FLOW_TEST_POSTGRES    the directory of Postgres' programs (initdb, postgres);
//	                      found by itself where Debian puts them
//	FLOW_TEST_VERSITYGW   versitygw, an S3 server
package ml
