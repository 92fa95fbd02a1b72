// Package remotetest is what every remote.Store must do, as a test suite, and a
// real S3 server for those who need one.
package remotetest
