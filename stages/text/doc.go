// Package text turns raw reviews into the words a model sees.
//
// A [Cleaner] applies the steps of [Options], by default in this order:
//
//  1. markup: tags such as <br /> become spaces
//  2. entities: &amp; becomes &
//  3. urls (https?://… and www.…) are removed
//  4. digits are removed
//  5. lowercase
//  6. negation: the words after "not", "no", "don't" and the like end in _NEG,
//     up to the end of the clause
//  7. punctuation: ASCII punctuation becomes space; the Arabic semicolon is
//     removed
//  8. stop_words are dropped
//  9. lemmas: every word is replaced by its WordNet lemma
//  10. stem: every word is replaced by its Snowball stem
//
// White space is collapsed and trimmed in any case. Every step can be switched
// off and moved. The order decides the result: an apostrophe that is removed
// before the stop words are looked up turns "don't" into two words. The options
// therefore travel with a model, and training and serving call the same code.
// [Default] is steps 3, 4, 5, 7, 8 and 9.
//
// The marks of negation are put on at the end, wherever the step stands: a step
// after it sees the words as they are, and does not take _NEG for punctuation.
//
// The steps have the semantics of Python's str and re, so that text cleaned here
// equals text cleaned with NLTK's lists and lemmatizer. Steps in the default
// order are one scan of the text; others are applied one after the other. Both
// remember what became of each word, and a text of known words costs no
// allocation.
//
// Word lists are embedded; lists/NOTICE has their origin and licences. WordNet's
// are searched where they lie and cost nothing to load.
package text
