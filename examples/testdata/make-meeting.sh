#!/usr/bin/env bash
# Speaks meeting.txt with two voices into meeting.wav (16 kHz, mono, 16 bit), and writes into meeting.txt the times
# at which each line was really spoken. To change the meeting, edit the text and run this again:
#
#   apt-get install espeak-ng sox && examples/testdata/make-meeting.sh
#
# The same text gives the same bytes with the same espeak-ng and sox (1.51 and 14.4.2 for the committed file).
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C

readonly rate=16000
readonly gap=4800 # samples of silence between two lines: 0.3 s

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# speak SPEAKER TEXT FILE writes one line of speech at the final format, without silence around it.
speak() {
	local voice speed
	case $1 in
	"Speaker 1") voice=en-us+f5 speed=165 ;; # a woman, about 200 Hz
	"Speaker 2") voice=en-gb speed=160 ;;    # a man, about 100 Hz
	*) echo "make-meeting: no voice for $1" >&2 && return 1 ;;
	esac
	espeak-ng -v "$voice" -s "$speed" -w "$tmp/raw.wav" -- "$2" </dev/null
	# The first and last samples above the threshold bound the speech: the times below are those of the voice, not of
	# the pauses that espeak-ng adds. -R keeps the dither the same on every run; 3 dB are left free, so nothing clips.
	sox -R "$tmp/raw.wav" -r "$rate" -c 1 -b 16 "$3" \
		silence 1 5 0.3% reverse silence 1 5 0.3% reverse gain -n -3
}

# seconds SAMPLES prints a number of samples as seconds, to the millisecond.
seconds() { awk -v n="$1" -v r="$rate" 'BEGIN { printf "%.3f", n / r }'; }

sox -R -r "$rate" -n -c 1 -b 16 "$tmp/gap.wav" trim 0 "${gap}s"

parts=()
at=0
while IFS= read -r line; do
	said=${line#*] }
	speaker=${said%%: *}
	text=${said#*: }

	part=$tmp/${#parts[@]}.wav
	speak "$speaker" "$text" "$part"
	if ((${#parts[@]} > 0)); then
		parts+=("$tmp/gap.wav")
		at=$((at + gap))
	fi
	parts+=("$part")

	end=$((at + $(soxi -s "$part")))
	echo "[$(seconds "$at") - $(seconds "$end")] $said" >>"$tmp/meeting.txt"
	at=$end
done <meeting.txt

sox -R "${parts[@]}" "$tmp/meeting.wav"
if [[ $(soxi -s "$tmp/meeting.wav") != "$at" ]]; then
	echo "make-meeting: the recording is not as long as its lines and pauses together" >&2
	exit 1
fi
mv "$tmp/meeting.wav" meeting.wav
mv "$tmp/meeting.txt" meeting.txt
