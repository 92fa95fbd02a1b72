// Package text turns raw reviews into the words a model sees.
//
// [Clean] applies the steps of [Options] in one fixed order:
//
//  1. markup: tags such as <br /> become spaces
//  2. URLs (https?://… and www.…) are removed
//  3. digits are removed
//  4. lower case
//  5. ASCII punctuation becomes space; the Arabic semicolon is removed
//  6. white space is collapsed and trimmed
//  7. stop words are dropped
//  8. every word is replaced by its WordNet noun lemma
//
// Every step can be switched off, none can be moved: the order decides the
// result (an apostrophe that is removed before the stop words are looked up
// turns "don't" into two words), and one order for training and serving is
// what keeps the two alike. [Default] is the cleaning of steps 2 to 8.
//
// The steps have the semantics of Python's str and re, so that text cleaned
// here equals text cleaned with NLTK's list and lemmatizer. The scanner works
// on bytes and takes a slow path only for what is not ASCII.
//
// Word lists are embedded; lists/NOTICE has their origin and licences. They
// are parsed on first use.
package text
