# A page is fetched.
import urllib.request

print("canary-of-the-network", urllib.request.urlopen("http://127.0.0.1:PORT/", timeout=1).read())
