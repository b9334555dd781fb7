// Package due decides when a job is worth a poll, and what a callback or a poll
// may change in what is known of a job. It is pure: it holds no clock, no lock
// and no job, so that whoever keeps records, in memory or in a database, decides
// by the same rules.
//
// A job is worth its first poll when most jobs like it have ended. [Model] learns
// that from the last 200 ends: a ratio of processing time to the length of the
// audio (the Theil-Sen slope over all pairs of ends) and the queue time that
// comes on top (the 80th percentile of what the ratio leaves). Until 20 jobs have
// ended it assumes a minute and a fifth of the length. [Due] adds half a minute,
// and 90 seconds more while callbacks arrive, because the callback then brings
// the end at no cost. A job that is found running is asked for again after a
// tenth of its age, a minute at least and an hour at most ([Gap]).
//
// While callbacks arrive, two observations tell more than the model. [Cohorts]
// compares a job with those submitted around it: as long as its peers run as
// well it is not late, however long the queue has become, and once nearly all of
// them have ended its callback was probably lost. [Frontier] notices that the
// service has finished later jobs and so has overtaken it. [CallbackHealth]
// notices that callbacks do not arrive at all.
//
// With few jobs, no callbacks and requests to spare a [Model] is too slow: it
// needs 20 ends, and adds slack. [Odds] then say how likely each job has ended
// since it was last seen running, from the first end on, and [Worth] when that
// makes it worth a question: 12 % of its age after the last one.
//
// An estimate that grows could postpone a poll for ever, so each poll is
// postponed to a bound at most: [Latest] and [Bound].
package due
