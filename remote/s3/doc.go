// Package s3 is a remote.Store in a bucket of S3, or of a server that speaks
// its protocol.
//
// [Parse] reads the settings of DVC's S3 remotes. The client, its credentials
// and the bucket's region are looked for when the first operation needs them.
//
// Objects and listings are asked for without the SDK's client, which assembles
// its stack anew for each request; endpoint, credentials, HTTP client and
// signature are the SDK's all the same. Uploads in parts and deletions go through
// the client. Directory buckets and access points of several regions, which are
// signed in other ways, are refused.
//
// # Integrity
//
// Every upload is signed with the SHA-256 of its bytes, which the server
// compares with what arrives. What is bigger than a part goes in several; the
// tag of each part and that of the whole are compared with the MD5 of what was
// sent, where the server's encryption leaves tags that can be compared. The
// body's own check comes before a multipart upload is completed. Parts that an
// interrupted upload left behind are used again when their tags tell that they
// are right.
//
// # Failing
//
// Errors have kinds, see remote.Kind. Requests are not tried again here, but
// for the parts of an upload: wrap the store in remote.Retry. A connection on
// which nothing moves for the read timeout counts as broken.
package s3
