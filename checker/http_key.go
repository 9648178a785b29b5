package checker

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

// decryptKey is a file of PEM with its private key in the clear. It knows what
// OpenSSL writes: PKCS #8 encrypted by PBES2 with AES, RFC 8018, and the older
// form with a DEK-Info header, RFC 1421.
func decryptKey(file []byte, password string) ([]byte, error) {
	var out bytes.Buffer
	for rest := file; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return out.Bytes(), nil
		}
		var err error
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY":
			block.Type = "PRIVATE KEY"
			block.Bytes, err = decryptPKCS8(block.Bytes, password)
		case x509.IsEncryptedPEMBlock(block): //nolint:staticcheck // weak, and what people have
			block.Bytes, err = x509.DecryptPEMBlock(block, []byte(password)) //nolint:staticcheck
			block.Headers = nil
		}
		if err != nil {
			return nil, err
		}
		if err := pem.Encode(&out, block); err != nil {
			return nil, err
		}
	}
}

// The parameters of PBES2, RFC 8018 appendix A.
type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2 struct {
		KDF struct {
			Algorithm asn1.ObjectIdentifier
			Params    pbkdf2Params
		}
		Cipher struct {
			Algorithm asn1.ObjectIdentifier
			IV        []byte
		}
	}
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

// maxIterations of PBKDF2; OpenSSL takes 2048.
const maxIterations = 10_000_000

func decryptPKCS8(der []byte, password string) ([]byte, error) {
	var key encryptedKey
	var p pbes2
	if _, err := asn1.Unmarshal(der, &key); err != nil {
		return nil, fmt.Errorf("read the encrypted key: %w", err)
	}
	if key.Algorithm.Algorithm.String() != "1.2.840.113549.1.5.13" {
		return nil, fmt.Errorf("the key is encrypted by an unknown algorithm %v, not by PBES2", key.Algorithm.Algorithm)
	}
	if _, err := asn1.Unmarshal(key.Algorithm.Parameters.FullBytes, &p); err != nil {
		return nil, fmt.Errorf("read how the key is encrypted: %w", err)
	}
	size, ok := map[string]int{"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}[p.Cipher.Algorithm.String()]
	prf, known := map[string]func() hash.Hash{
		"": sha1.New, "1.2.840.113549.2.7": sha1.New, "1.2.840.113549.2.9": sha256.New,
	}[p.KDF.Params.PRF.Algorithm.String()]
	switch {
	case !ok, len(p.Cipher.IV) != aes.BlockSize, len(key.Data) == 0, len(key.Data)%aes.BlockSize != 0:
		return nil, errors.New("the key is encrypted by another cipher than AES-CBC")
	case !known, p.KDF.Params.Iterations < 1, p.KDF.Params.Iterations > maxIterations:
		return nil, errors.New("the key's password is derived in an unknown way")
	}
	secret, err := pbkdf2.Key(prf, password, p.KDF.Params.Salt, p.KDF.Params.Iterations, size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(key.Data))
	cipher.NewCBCDecrypter(block, p.Cipher.IV).CryptBlocks(plain, key.Data)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > aes.BlockSize || !bytes.Equal(plain[len(plain)-padding:], bytes.Repeat([]byte{byte(padding)}, padding)) {
		return nil, errors.New("the password of SSL is not that of the key")
	}
	return plain[:len(plain)-padding], nil
}
