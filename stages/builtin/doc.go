// Package builtin has the stages of the sentiment pipeline:
//
//	data_ingestion       source → data/raw: train.csv, test.csv
//	data_preprocessing   data/raw → data/interim: cleaned texts, cleaning.json
//	feature_engineering  data/interim → data/processed: sparse matrices, labels;
//	                     models/vectorizer.json
//	model_building       data/processed → models/model.json
//	model_evaluation     data/processed, models/model.json → reports/metrics.json,
//	                     reports/figures
//
// Each is a thin adapter: it decodes its parameters from the section that
// bears its name, finds its declared paths, and calls the packages beside this
// one, which do the work and know nothing of pipelines. Paths are found by
// their last component, so that a pipeline may keep its files elsewhere.
//
// The way a text was cleaned travels with it, as cleaning.json and then inside
// vectorizer.json: a model applies the cleaning it was trained with.
//
// A stage's version is part of the key of its results. A test pins the digest
// of what each version writes.
package builtin
