// Package model stores what training produced, and applies it.
//
// A model is a directory. model.json, the header, holds all that is small: the
// cleaning of texts, the vectorizers' configurations, the classifier but for its
// weights, its calibration and threshold, statistics of the training texts, an
// example, and the size and BLAKE3 of every other file. The vocabulary lies in
// flat files that are ready to be looked up in, as do the weights. The other
// files let Python's MLflow load the same model: MLmodel, a program with the
// word lists it needs, and a pickle that calls it. docs/formats.md describes all.
//
// [Write] makes a directory, whole or not at all, and the same one for the same
// [Parts]. [Open] reads it: it verifies every file, checks every count and
// offset, and tries the model on its example, so that a program that cleans
// texts in another way refuses it. [New] makes a model without a directory.
//
// [Model] is the only way from a text to a prediction, in a pipeline as in a
// server, so that the steps cannot differ. [Model.Explain] says what each term
// added, and where in the text.
//
// [WriteFeatures] and [OpenFeatures] do the same for what there is before a
// classifier is trained.
package model
