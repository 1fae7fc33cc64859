"""The events of BD CAN Plus: generated models, the catalogue of topics, and the CloudEvents codec."""
