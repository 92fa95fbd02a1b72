// Package model stores what training produced and applies it.
//
// vectorizer.json holds the cleaning, the vectorizer's configuration and its
// vocabulary; model.json holds the classifier. Both name their format and
// version. Reading is strict: unknown keys, numbers that are not finite and
// parts that do not fit together are errors. The same content has the same
// bytes.
//
// [Model] joins the two. It is the only way from a text to a prediction, in a
// pipeline as in a server, so that the steps cannot differ.
package model
