// Package features turns cleaned texts into a sparse matrix of word counts or
// TF-IDF weights.
//
// [Fit] learns a vocabulary and returns the matrix of the texts it learned
// from; [Vectorizer.Transform] applies the vocabulary to other texts. Tokens,
// n-grams, document-frequency bounds, IDF and norms are those of
// scikit-learn's CountVectorizer and TfidfVectorizer. The columns are the
// terms in code-point order. One thing is defined here that is left open
// there: when max_features cuts through terms of equal count, those that come
// first in code-point order stay.
//
// [CSR] is the matrix: compressed rows, columns ascending within a row.
// [WriteNPZ] and [ReadNPZ] store it as scipy.sparse does, without compression
// and with the same bytes for the same matrix.
//
// Results do not depend on the number of workers or on the processor.
package features
