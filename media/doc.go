// Package media takes the sound out of a recording before it is uploaded, with the ffmpeg and ffprobe found on PATH.
//
//	extract, err := media.Extract(ctx, "interview.mp4", media.Options{})
//	if err != nil {
//		return err
//	}
//	defer extract.Close()
//	job, err := client.STT.Submit(ctx, extract.Audio(), scriptix.SubmitParams{Language: "nl"})
//
// An hour of video is some two gigabytes, and its sound fifty megabytes: the rest costs time, requests and the service's
// patience, and nobody transcribes it.
//
// # What comes out
//
// The sound as it is, copied into a file that the service takes: AAC as .m4a, MP3 as .mp3, Opus and Vorbis as .ogg, FLAC
// as .flac. PCM and ALAC become FLAC, which loses nothing. Anything else, AC-3 for example, is an [ErrCodec] unless Small is
// asked for, which makes mono Opus at 32 kbit/s of any codec: enough for speech, and not what was recorded. The same file
// and options give the same bytes each time with the same ffmpeg.
//
// # What a file cannot do
//
// A recording that was sent in by strangers is untrusted, and ffmpeg reads a hundred formats, some of which name other
// files and servers. Here it gets no network (the protocol file alone), only containers that hold their own data
// (no playlists, no concatenation scripts, no devices), no standard input, an empty environment, and limits on time, on
// the size of the result and on what it prints; only regular files are opened. What it is not kept from is using memory
// and processor within its time: run it in a container of your own if that matters.
//
// Nothing of ffmpeg is linked. Where it is missing every function returns [ErrNoFFmpeg].
package media
