"""Conversations between the two sides of a proposal or contract. Sequence numbers are allotted under the conversation's lock."""
