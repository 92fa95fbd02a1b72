// Package features turns texts into sparse matrices: counts of terms, TF-IDF
// weights, or hashed terms.
//
// [Fit] learns a vocabulary and returns the matrix of the texts it learned
// from; [Vectorizer.Transform] applies it to other texts, and [Vectorizer.Row]
// to one, without allocating. [Union] has several vectorizers side by side.
//
// Parameters, terms, columns and values are those of scikit-learn's
// CountVectorizer, TfidfVectorizer, HashingVectorizer and FeatureUnion. That
// includes which of several equally frequent terms max_features keeps, where
// scikit-learn's own answer depends on the processor: see mostFrequent. Token
// patterns are those of Python's re, with limits: see [CheckPattern]. Values
// differ in the last places at most: when it fits, scikit-learn adds up the
// squares of a row in the order in which it met the terms, and here it is that
// of the columns, so that fitting and transforming give the same.
//
// How it works. Workers split texts and number the words that they meet, each
// on its own; then all words are ranked by their bytes, and texts are ranks. A
// term of n+1 words is a pair of numbers, that of a term of n words and that of
// a word, and is counted in a hash table that is split so that its parts fit
// into the processor's cache. A term whose parts are too rare is not counted at
// all. As numbers are ranks, sorting pairs sorts terms, and terms are spelled
// only when they are in the vocabulary. N-grams of characters inside of words
// are counted by word.
//
// A [Vocabulary] finds the columns of terms; [Table] is the one made here.
// [CSR] is the matrix: compressed rows, columns ascending within a row.
// [WriteNPZ] and [ReadNPZ] store it as scipy.sparse does, without compression
// and with the same bytes for the same matrix. [WriteBlocks] and [OpenBlocks]
// are for a matrix that does not fit into memory.
//
// Results do not depend on the number of workers or on the processor.
package features
