"""Mails a change: sendmail.py STATE TYPE NAME."""
import smtplib
import sys

state, kind, name = sys.argv[1:4]
server = smtplib.SMTP("127.0.0.1")
server.sendmail("lvs@example.com", "ops@example.com",
                f"Subject: {state}\n\n{kind} {name} status has changed to {state}")
server.quit()
