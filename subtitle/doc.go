// Package subtitle turns a transcript into subtitles (SRT, WebVTT, TTML, ASS) or plain text, and checks subtitles.
//
//	cues := subtitle.Cues(transcript, subtitle.Netflix("en"))
//	err := subtitle.WriteSRT(file, cues)
//
// # Cues
//
// Segments are taken by their start, whatever their order in the transcript (see [Sorted]). A segment starts a cue, and so
// does a change of speaker; a cue joins two segments of one speaker only where MinDuration is asked for and one of them
// would be gone too soon. What is too long for one cue
// is broken where a reader would break it: after a sentence, else after a comma or the like, else at a pause, else
// between any two words. A cue takes as few lines as hold it, of about the same length, and a word is never split. A
// word longer than a line stands on a line of its own. Characters are counted as a reader sees them: a letter with its
// accents is one, and so is a joined emoji; a wide character counts as one, too, so for Chinese or Japanese you may
// want a MaxLineLength of about 16 and fewer characters a second.
//
// With a Language whose function words are known, lines and cues end at phrases: in front of a conjunction or a
// preposition, not between a name's two parts or behind a pronoun, and never behind an article, unless no other place is
// left within the width of a line. Of two lines the lower one is the longer, as long as both fit.
//
// A script without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) has no words to go by. Such a run of text is
// broken between the transcript's words, where there are any; if what remains is longer than a line, between
// characters, but never in front of a closing mark, a vowel sign or an accent, and never behind an opening mark. No
// dictionary is used, so a Thai word longer than what is left of its line can be split.
//
// # Times
//
// A cue starts with its first word and ends with its last. Both are whole milliseconds, rounded (59.9996 s is
// 00:01:00.000). Where a segment has words, the times are theirs; the text is the segment's if it is the words' text
// with punctuation, and the words' text otherwise (a comma that comes as a word joins the word in front of it). Where
// there are none, times are interpolated by the length of the text. A cue that is gone too fast to be read stays into
// the silence after it, as long as MaxDuration lets it. At the end of every cue MinGap is kept free: a cue is cut short
// for it. Only where the next one has no room (words at the same time, two people at once) does that start later than
// it is spoken, as little as possible.
//
// MinDuration, FrameRate and CloseGaps make the times those of professionals, as [Netflix] and [BBC] want them. A cue that
// is gone too fast to be read then stays for half a second after its last word at most, where the transcript tells when
// that ends; only MinDuration can keep it longer. [Check] says which limits cues break, and which of them the speech
// leaves no room for.
//
// Times that make no sense are handled like this:
//
//   - Order: segments are sorted by their start, and no word is dropped, whatever its times say; within a segment the
//     order is the transcript's. A segment that tells no time stays behind the one in front of it. What is said at the
//     same time is shown one after the other.
//   - Negative: 0.
//   - Absurd (10,000 hours or more, which is also what an overflow on the wire becomes): unknown.
//   - Empty, reversed or unknown: a segment whose End is not after its Start begins at its Start, but not before the
//     end of the text in front of it, and lasts as long as it takes to say (15 characters a second), at most to the
//     start of the next segment.
//   - A word whose times are both 0 (nobody told them, or they were no number), reversed, absurd or earlier than the
//     word's before it: interpolated between the words around it.
//
// A transcript without segments is one segment, from 0 to its Duration, with the transcript's Text. A segment without
// visible text is left out. A nil transcript is an empty one.
//
// # Text
//
// White space, line breaks included, is folded to single spaces (no-break spaces stay), control characters are removed,
// and bytes that are no UTF-8 become U+FFFD. Each format then has its own dangers; see [WriteSRT], [WriteVTT],
// [WriteTTML] and [WriteASS]. A transcript that holds markup shows it as text.
package subtitle
