# Speaks a text with espeak-ng, without a sound, and prints for each event its kind (1 a word, 5 an end), the position in the
# text and the time in milliseconds. The program espeak-ng itself does not tell the times of words; its library does.
import ctypes
import sys

library = ctypes.CDLL("libespeak-ng.so.1")


class Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("identifier", ctypes.c_uint), ("text", ctypes.c_int), ("length", ctypes.c_int),
        ("audio", ctypes.c_int), ("sample", ctypes.c_int), ("user", ctypes.c_void_p), ("id", ctypes.c_char_p),
    ]


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))
def spoken(_wav, _samples, events):
    i = 0
    while events[i].type != 0:
        if events[i].type in (1, 5):
            print(events[i].type, events[i].text, events[i].audio)
        i += 1
    return 0


text = sys.stdin.buffer.read()
library.espeak_Initialize(2, 0, None, 0)  # as fast as it goes, to the callback alone
library.espeak_SetSynthCallback(spoken)
library.espeak_SetVoiceByName(b"en")
library.espeak_SetParameter(1, int(sys.argv[1]), 0)  # words a minute
library.espeak_Synth(text, len(text) + 1, 0, 1, 0, 1, None, None)
library.espeak_Synchronize()
