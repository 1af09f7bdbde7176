/**
 * A self-signed certificate for `localhost` and its key: for tests, and worth nothing anywhere else.
 *
 * @module
 */

/** The certificate, PEM. */
export const TEST_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUSb+uSvLh7/Hkz0ap0b5Lr1vp9DEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE5NTkxMVoYDzIxMjYxMDI5
MTk1OTExWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQ0qLVb5hjOHoyal69Gj0ivlVEpKry+taWoZSMyjXj1SSMIlm8rm8Qd
BTY4sk6Xez5dZRhxNCMYESecSFvuP7EQo28wbTAdBgNVHQ4EFgQUdYpiv0+++SWv
ogT6fk8LGAfDpygwHwYDVR0jBBgwFoAUdYpiv0+++SWvogT6fk8LGAfDpygwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhAIyNDlG2yQl8kHwjmuEu6kbd6F00R+Rs5oNfB7j9vReDAiB1
hsTKnDskYAoOI8AeCH4RxedSMT27QmXumzwBleYBiw==
-----END CERTIFICATE-----
`;

/** Its key, PEM. */
export const TEST_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghSPLkJ0lk0r7fPPY
KjIEXfp+1T7iUlnjfK6u++qJj+GhRANCAAQ0qLVb5hjOHoyal69Gj0ivlVEpKry+
taWoZSMyjXj1SSMIlm8rm8QdBTY4sk6Xez5dZRhxNCMYESecSFvuP7EQ
-----END PRIVATE KEY-----
`;
